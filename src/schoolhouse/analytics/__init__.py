"""Questions about sections: who they are, what happened in them, and the charts that show it.

- `readers`   a pool of read-only handles; every question is tagged and limited
- `sections`  the sections, their addresses, and the counted list of them
- `projects`  the projects that sections teach
- `overview`  one section: counts, and events by type over time
- `sql/`      the questions, one a file
- `charts/`   the Vega-Lite specifications, without data
"""
