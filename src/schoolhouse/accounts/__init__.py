"""Who may see what: people, how they prove who they are, and the record of what they saw and ran.

- `tables`     the tables of this package, in the app's own database
- `people`     accounts with a role, their sections and projects; a `Person` says what one may see
- `passwords`  argon2, and the limit on guessing
- `sessions`   what a browser holds after signing in
- `tokens`     what a program holds
- `scopes`     names of sections and projects, as people write them
- `audit`      who saw and ran what
- `flags`      which parts are switched on, and for whom
- `questions`  questions that people keep and share
"""
