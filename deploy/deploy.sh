#!/usr/bin/env bash
# Builds the package and brings it to AWS.
#   deploy.sh                    build dist/xapi-etl-processor.zip
#   deploy.sh --test             build, and try the package on this machine
#   deploy.sh --deploy NAME      build, and update the code of one function
#   deploy.sh ENVIRONMENT REGION build, make the stack if there is none, and update both functions
# The stack is made from S3_XAPI_BUCKET_NAME, CLICKHOUSE_HOST, CLICKHOUSE_PASSWORD and, if set, CLICKHOUSE_PORT,
# CLICKHOUSE_USER and CLICKHOUSE_DATABASE.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
zip="${OUT:-$here/../dist/xapi-etl-processor.zip}"
export OUT="$zip"

build() { bash "$here/lambda/build.sh"; }

update() { # NAME [REGION]
  aws lambda update-function-code --function-name "$1" --zip-file "fileb://$zip" ${2:+--region "$2"} --output text \
    --query LastUpdateStatus
}

make_stack() { # ENVIRONMENT REGION
  : "${S3_XAPI_BUCKET_NAME:?There is no stack yet: set S3_XAPI_BUCKET_NAME}"
  : "${CLICKHOUSE_HOST:?There is no stack yet: set CLICKHOUSE_HOST}"
  : "${CLICKHOUSE_PASSWORD:?There is no stack yet: set CLICKHOUSE_PASSWORD}"
  # in a file, since everybody may read the arguments of a process
  parameters="$(mktemp)"
  trap 'rm -f "$parameters"' EXIT
  ENVIRONMENT="$1" "${PYTHON:-python3}" - > "$parameters" <<'PYTHON'
import json
import os

names = {
    "Environment": "ENVIRONMENT",
    "S3XAPIBucketName": "S3_XAPI_BUCKET_NAME",
    "ClickHouseHost": "CLICKHOUSE_HOST",
    "ClickHousePort": "CLICKHOUSE_PORT",
    "ClickHouseUser": "CLICKHOUSE_USER",
    "ClickHousePassword": "CLICKHOUSE_PASSWORD",
    "ClickHouseDatabase": "CLICKHOUSE_DATABASE",
}
print(json.dumps([f"{name}={os.environ[variable]}" for name, variable in names.items() if os.environ.get(variable)]))
PYTHON
  aws cloudformation deploy --stack-name "xapi-etl-$1" --region "$2" --template-file "$here/cloudformation.yaml" \
    --capabilities CAPABILITY_NAMED_IAM --parameter-overrides "file://$parameters"
}

case "${1:-}" in
  "")
    build
    ;;
  --test)
    build
    "${PYTHON:-python3}" "$here/lambda/try_package.py" "$zip"
    ;;
  --deploy)
    name="${2:?deploy.sh --deploy NAME}"
    build
    update "$name"
    ;;
  -*)
    sed -n '2,8p' "$0" >&2
    exit 2
    ;;
  *)
    environment="$1" region="${2:?deploy.sh ENVIRONMENT REGION}"
    build
    aws cloudformation describe-stacks --stack-name "xapi-etl-$environment" --region "$region" > /dev/null 2>&1 ||
      make_stack "$environment" "$region"
    update "xapi-etl-processor-$environment" "$region"
    update "bulk_etl_processor-$environment" "$region"
    ;;
esac
