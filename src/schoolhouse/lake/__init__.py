"""The lake: messages of Kafka topics, one hourly window at a time, as validated Delta tables.

The folders stand in the order that a message walks:

- `topics`     what is read: one file a topic, with the JSON of its messages
- `transform`  messages to rows, rows to datasets, and the learner models SM-2, BKT and IRT
- `quality`    what is true of good rows, and how far the rows of a window are from it
"""
