"""Learner models: what a learner knows, computed from attempts in the order in which they were made.

- `sm2`         when to repeat a question: easiness, interval and repetitions for each learner and question
- `bkt`         Bayesian knowledge tracing: the chance that a learner knows a topic
- `irt`         item response theory: a learner's ability in a topic, in logits
- `replay`      all three over many attempts at once
- `parameters`  what the models are told: of topics (BKT) and of questions (IRT)
- `fit_bkt`, `fit_irt`  those parameters, estimated from attempts

The first three hold one update each, on plain numbers, as its authors published it. `docs/lake-models.md` has the
formulas with their sources.
"""
