"""The HTTP app: pages for people and an API for programs. Doors only: parse, ask `analytics`, format.

- `app`       puts the app together
- `serving`   runs it: checks the warehouse, listens, announces itself, stops cleanly
- `running`   how another command finds a running `serve` and asks through it
- `access`    who asks, and what they may see: the dependencies of every route
- `signing_in` the pages to sign in and out
- `openid`    signing in through an identity provider
- `admin`     pages for admins; `live` keeps them up to date, `metrics` counts for Prometheus
- `questions_api` custom SQL, and the questions that people keep
- `pages`     HTML for people
- `api`       JSON for programs
- `failures`  every error as a page or as one JSON shape
- `frame`     what every answer carries: security headers; and whom the app answers
- `assets`    style sheets and scripts under addresses that change with their content
"""
