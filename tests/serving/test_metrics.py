"""Figures in Prometheus' text format: https://prometheus.io/docs/instrumenting/exposition_formats/."""

from yt8m_kit.serving.metrics import Metrics


def values(text):
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_counts_and_cumulative_histograms():
    metrics = Metrics()
    for status, seconds in ((200, 0.004), (200, 0.25), (400, 99.0)):
        metrics.answered(status, seconds)
    for videos in (1, 3, 32):
        metrics.ran(videos)
    text = metrics.text(queue=4, ready=True)
    found = values(text)
    assert found['yt8m_requests_total{status="200"}'] == 2
    assert found['yt8m_requests_total{status="400"}'] == 1
    assert found["yt8m_videos_total"] == found["yt8m_batch_videos_sum"] == 36
    assert found["yt8m_queue_requests"] == 4
    assert found["yt8m_ready"] == 1
    buckets = {bound: found[f'yt8m_batch_videos_bucket{{le="{bound}"}}'] for bound in (1, 2, 4, 32, "+Inf")}
    assert buckets == {1: 1, 2: 1, 4: 2, 32: 3, "+Inf": 3}
    assert found['yt8m_request_seconds_bucket{le="0.005"}'] == 1
    assert found['yt8m_request_seconds_bucket{le="0.25"}'] == 2
    assert found['yt8m_request_seconds_bucket{le="30"}'] == 2
    assert found["yt8m_request_seconds_count"] == 3


def test_each_metric_has_its_help_and_type_before_its_values():
    lines = Metrics().text(queue=0, ready=False).splitlines()
    for name, kind in {
        "requests_total": "counter",
        "videos_total": "counter",
        "queue_requests": "gauge",
        "ready": "gauge",
        "batch_videos": "histogram",
        "request_seconds": "histogram",
    }.items():
        place = lines.index(f"# TYPE yt8m_{name} {kind}")
        assert lines[place - 1].startswith(f"# HELP yt8m_{name} ")
