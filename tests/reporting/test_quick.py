from tests.reporting.test_page import *
from pathlib import Path
pytestmark = []
@pytest.fixture(scope="module")
def demo_report(): return Path("/tmp/wt/report/runs/demo/report.html")
@pytest.fixture(scope="module")
def audioset_report(): return Path("/tmp/report_dev/runs/audioset/report.html")
