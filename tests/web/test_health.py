"""What supervisors and alerts are told."""

from __future__ import annotations

from scheduler import operation


def test_the_process_lives(anybody):
    answer = anybody.get("/health/live")
    assert (answer.status_code, answer.text, answer.mimetype) == (200, "ok\n", "text/plain")


def test_all_is_well(anybody):
    answer = anybody.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json == {
        "status": "ok",
        "database": "ok",
        "outbox": {"queued": 0, "age_seconds": 0},
        "worker": {"age_seconds": None},
        "mailbox": None,
        "late": [],
    }


def test_what_is_late_is_an_alert(anybody, monkeypatch):
    late = operation.Health(outbox=3700, queued=2, worker=5, mailbox=9, late=("outbox",))
    monkeypatch.setattr(operation, "health", lambda _: late)
    answer = anybody.get("/health/ready")
    assert answer.status_code == 503
    assert (answer.json["status"], answer.json["late"]) == ("late", ["outbox"])
    assert answer.json["mailbox"] == {"age_seconds": 9}


def test_a_database_that_does_not_answer_is_an_alert_without_its_words(anybody, monkeypatch):
    def fail(_):
        raise RuntimeError("SELECT secret")

    monkeypatch.setattr(operation, "health", fail)
    answer = anybody.get("/health/ready")
    assert answer.status_code == 503
    assert (answer.json["status"], answer.json["database"]) == ("down", "down")
    assert "secret" not in answer.text
