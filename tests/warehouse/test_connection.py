from schoolhouse.warehouse.connection import Warehouse


def test_x(warehouse: Warehouse):
    warehouse.run(
        "create table t (a UInt64, s String, d DateTime64(3), l LowCardinality(String), n Nullable(String)) engine=MergeTree order by a",
        why="x",
    )
    warehouse.run(
        "insert into t select {a:UInt64}, {s:String}, now64(3), 'x', null", {"a": 1, "s": "it's\\ ü\n"}, why="x"
    )
    print(warehouse.ask("select * from t", why="x"))
    print(warehouse.ask("select * from t where 0", why="x"))
    print(
        warehouse.ask(
            "select getSetting('log_comment'), currentDatabase(), getSetting('session_timezone')",
            why="x",
            limits={"max_threads": 1},
        )
    )
    r = warehouse.reader()
    print(r.ask("select s from t", why="r"))
    try:
        r.run("insert into t (a) values (1)", why="r")
    except Exception as e:
        print(repr(e))
    r.close()
