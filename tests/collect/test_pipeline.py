"""What is sent arrives: batched as the settings say, through failures, restarts and shutdowns."""

import threading
import time

import pytest

from schoolhouse.collect.bundles import bundle_id, parse_key
from schoolhouse.collect.pipeline import Pipeline, pipeline_stats
from schoolhouse.collect.spool import Spool
from schoolhouse.errors import SpoolFull, UploadFailed

from .parts import Destination, bundle, pipeline_settings, wait_until


def test_what_is_sent_arrives(tmp_path):
    destination = Destination()
    with Pipeline(pipeline_settings(tmp_path), uploader=destination) as pipeline:
        pipeline.send(bundle(b"a", b"b"), bundle(b"c", section="2"))
        wait_until(lambda: len(destination.lines) == 3)
    assert sorted(destination.lines) == [b"a", b"b", b"c"]


def test_a_full_batch_goes_at_once_and_the_rest_when_its_time_is_up(tmp_path):
    destination = Destination()
    settings = pipeline_settings(tmp_path, batch_size=10, batch_timeout_ms=1000)
    with Pipeline(settings, uploader=destination) as pipeline:
        pipeline.send(*[bundle(b"%d" % n) for n in range(13)])
        wait_until(lambda: len(destination.arrived) == 1)
        assert destination.arrived[0].bundles == 10
        wait_until(lambda: len(destination.arrived) == 2)
    assert [batch.bundles for batch in destination.arrived] == [10, 3]


def test_a_key_names_the_content_of_its_batch(tmp_path):
    destination = Destination()
    with Pipeline(pipeline_settings(tmp_path), uploader=destination) as pipeline:
        pipeline.send(bundle(b"a"))
    (batch,) = destination.arrived
    assert batch.key.bundle_id == bundle_id(b"a")
    assert parse_key(str(batch.key)) == batch.key


def test_no_more_uploads_are_under_way_than_the_settings_allow(tmp_path):
    destination = Destination(seconds=0.02)
    settings = pipeline_settings(tmp_path, batcher_concurrency=3)
    with Pipeline(settings, uploader=destination) as pipeline:
        pipeline.send(*[bundle(b"%d" % n, section=str(n)) for n in range(30)])
        wait_until(lambda: len(destination.arrived) == 30)
    assert destination.most_at_once == 3


def test_what_failed_is_tried_again_while_the_pipeline_runs(tmp_path):
    destination = Destination()
    destination.is_away = True
    with Pipeline(pipeline_settings(tmp_path), uploader=destination) as pipeline:
        pipeline.send(bundle(b"a"))
        wait_until(lambda: pipeline.stats().retrying == 1)
        assert pipeline.stats().last_error == "The destination is away."
        destination.is_away = False
        wait_until(lambda: destination.lines == [b"a"])
    assert destination.tries == 2


def test_waits_grow_from_try_to_try(tmp_path):
    destination = Destination()
    destination.is_away = True
    settings = pipeline_settings(tmp_path, drain_seconds=0)
    pipeline = Pipeline(settings, uploader=destination)
    pipeline.start()
    pipeline.send(bundle(b"a"))
    wait_until(lambda: pipeline.stats().failed_attempts == 2)
    pipeline.stop()
    spool = Spool(settings.spool_file)
    ready = {"limit": 1, "batch_size": 1, "timeout_seconds": 0.0}
    assert spool.claim(**ready) == []
    spool.retry_now()
    assert spool.claim(**ready)[0].attempts == 2
    spool.close()


def test_an_uploader_that_breaks_loses_nothing(tmp_path):
    class Broken(Destination):
        def deliver(self, batch):
            if not self.tries:
                self.tries += 1
                raise ZeroDivisionError
            super().deliver(batch)

    destination = Broken()
    with Pipeline(pipeline_settings(tmp_path), uploader=destination) as pipeline:
        pipeline.send(bundle(b"a"))
        wait_until(lambda: destination.lines == [b"a"])
    assert destination.tries == 2


def test_stopping_delivers_what_waits_without_waiting_for_batches_to_fill(tmp_path):
    destination = Destination()
    pipeline = Pipeline(pipeline_settings(tmp_path, batch_timeout_ms=3_600_000), uploader=destination)
    pipeline.start()
    pipeline.send(*[bundle(b"%d" % n, section=str(n)) for n in range(20)])
    assert destination.arrived == []
    pipeline.stop()
    assert len(destination.lines) == 20
    with pytest.raises(UploadFailed, match="stopped"):
        pipeline.send(bundle(b"late"))


def test_what_cannot_be_delivered_at_the_stop_is_delivered_after_the_next_start(tmp_path, caplog):
    destination = Destination()
    destination.is_away = True
    settings = pipeline_settings(tmp_path)
    with Pipeline(settings, uploader=destination) as pipeline:
        pipeline.send(bundle(b"a"), bundle(b"b", section="2"))
    assert "stay in the spool" in caplog.text
    destination.is_away = False
    with Pipeline(settings, uploader=destination) as pipeline:
        assert pipeline.drain(10)
    assert sorted(destination.lines) == [b"a", b"b"]


def test_a_full_spool_holds_the_sender_back(tmp_path):
    destination = Destination()
    destination.is_away = True
    settings = pipeline_settings(tmp_path, spool_max_bytes=1_000_000)
    with Pipeline(settings, uploader=destination) as pipeline:
        pipeline.send(bundle(b"x" * 900_000))
        with pytest.raises(SpoolFull):
            pipeline.send(bundle(b"x" * 900_000))
        destination.is_away = False
        wait_until(lambda: pipeline.stats().held_bytes == 0)
        pipeline.send(bundle(b"x" * 900_000))
    assert len(destination.lines) == 2


def test_several_pipelines_share_a_spool_and_deliver_everything_once(tmp_path):
    destination = Destination()
    settings = pipeline_settings(tmp_path, batch_size=5)
    pipelines = [Pipeline(settings, uploader=destination) for _ in range(3)]
    for pipeline in pipelines:
        pipeline.start()
    senders = [
        threading.Thread(target=lambda p=p, k=k: [p.send(bundle(b"%d-%d" % (k, n))) for n in range(40)])
        for k, p in enumerate(pipelines)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    for pipeline in pipelines:
        pipeline.stop()
    assert sorted(destination.lines) == sorted(b"%d-%d" % (k, n) for k in range(3) for n in range(40))


def test_a_slow_upload_keeps_its_lease(tmp_path):
    destination = Destination(seconds=1.0)
    settings = pipeline_settings(tmp_path)
    with (
        Pipeline(settings, uploader=destination, lease_seconds=0.3) as first,
        Pipeline(settings, uploader=destination, lease_seconds=0.3),
    ):
        first.send(bundle(b"a"))
        wait_until(lambda: destination.lines == [b"a"])
    assert destination.tries == 1


def test_statistics_tell_what_went_through(tmp_path):
    settings = pipeline_settings(tmp_path)
    with Pipeline(settings, uploader=Destination()) as pipeline:
        pipeline.send(bundle(b"a", b"b"), bundle(b"c"))
    stats = pipeline_stats(settings)
    assert (stats["mode"], stats["accepted"], stats["delivered"], stats["delivered_statements"]) == ("file", 2, 2, 3)
    assert (stats["queued"], stats["in_flight"], stats["failed_attempts"]) == (0, 0, 0)


def test_an_idle_pipeline_costs_next_to_nothing(tmp_path):
    with Pipeline(pipeline_settings(tmp_path), uploader=Destination()) as pipeline:
        pipeline.send(bundle(b"a"))
        wait_until(lambda: pipeline.stats().delivered == 1)
        size = pipeline._settings.spool_file.with_name("spool.sqlite-wal").stat().st_size
        time.sleep(0.5)
        assert pipeline._settings.spool_file.with_name("spool.sqlite-wal").stat().st_size == size
