#!/bin/sh
# Prints a .env with passwords and keys drawn at random: deploy/airflow/secrets.sh > deploy/airflow/.env
set -eu
word() { python3 -c 'import secrets; print(secrets.token_urlsafe(24))'; }
for name in POSTGRES_PASSWORD REDIS_PASSWORD ADMIN_PASSWORD FLOWER_PASSWORD JWT_SECRET API_SECRET_KEY; do
  echo "$name=$(word)"
done
echo "FERNET_KEY=$(python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())')"
echo "KAFKA_BOOTSTRAP_SERVERS=kafka-1:9092,kafka-2:9092,kafka-3:9092"
