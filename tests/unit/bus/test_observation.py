"""A process exports the metrics of the stages that it works on, starting at 0."""

from __future__ import annotations

from overheard.bus.actor import StageWork, register
from overheard.bus.broker import open_broker
from overheard.observability.metrics import OUTCOMES, ProcessMetrics
from overheard.stages import STAGES


def test_a_process_shows_the_stages_it_works_on_from_0(metrics: ProcessMetrics) -> None:
    value = metrics.registry.get_sample_value
    broker = open_broker("memory://", stages=STAGES.values(), metrics=metrics, record_dead=lambda dead_letters: None)
    assert value("overheard_longest_in_progress_seconds") is None, "a process without stages has no messages"
    register(broker, STAGES["store"], StageWork(lambda message, permit: None))
    for outcome in OUTCOMES:
        assert value("overheard_stage_messages_total", {"stage": "store", "outcome": outcome}) == 0
        assert value("overheard_stage_messages_total", {"stage": "fetch", "outcome": outcome}) is None
    assert value("overheard_stage_in_progress", {"stage": "store"}) == 0
    assert value("overheard_stage_duration_seconds_count", {"stage": "store"}) == 0
    assert value("overheard_longest_in_progress_seconds") == 0
