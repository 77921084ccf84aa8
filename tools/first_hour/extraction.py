"""Mistakes with own video files."""

from tools.first_hour.case import Case, Place

TITLE = "Video files"
SOUND = "--audio_weights=recipes/tiny.py"  # of any content: what is asked for is wrong before it is read
EXTRACT = "yt8m extract films own --recipe=tiny --split=train"


def films(place: Place) -> None:
    """A folder of a video."""
    (place.root / "films").mkdir()
    (place.root / "films" / "a.mp4").write_bytes(b"a film")


def unknown_id(place: Place) -> None:
    """A folder of a video, and a label of another one."""
    films(place)
    (place.root / "labels.csv").write_text("b,7\n")


def case(what: str, more: str, code: int, says: str, prepare=films) -> Case:
    """A mistake of extract; which names of keras.applications there are is read from Keras' files."""
    return Case(what, f"{EXTRACT} {more}".strip(), code, says, prepare, at_once=False)


CASES = (
    case("sound without weights", "", 2, "needs --audio_weights=FILE: `yt8m download vggish` fetches it"),
    case("weights that are not there", "--audio_weights=no.ckpt", 2, "--audio_weights must be a file; got"),
    case("an unknown network", f"--image=ResNet51 {SOUND}", 2, "Did you mean 'ResNet50'?"),
    case("an ONNX file that is not there", f"--image=net.onnx {SOUND}", 2, "got net.onnx, which is none"),
    case(
        "the Inception of 2015 without its files",
        f"--image=inception2015 {SOUND}",
        2,
        "`yt8m download inception2015` and `yt8m download pca` fetch them",
    ),
    case("more segments than frames", f"--segments=999 {SOUND}", 2, "at most 32, the data set's max_frames"),
    case("no such folder", SOUND, 2, "VIDEOS must be a folder of video files; got films", lambda _: None),
    case(
        "a folder without videos",
        SOUND,
        2,
        "films holds no videos: looked for *.3gp",
        lambda place: (place.root / "films").mkdir(),
    ),
    case("videos without labels", SOUND, 2, "give --labels=CSV, or a folder to each class"),
    case("no such file of labels", f"{SOUND} --labels=labels.csv", 2, "no file labels.csv with labels"),
    case("labels of other videos", f"{SOUND} --labels=labels.csv", 2, "no video in films has", unknown_id),
)
