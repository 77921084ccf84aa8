"""A trial's CSV is never submitted, wherever it was copied to."""

from yt8m_kit.output.provenance import Record, file_entry, now, write_record


def test_a_copy_of_a_trials_csv_is_refused_by_name(kaggle, entrant, command):
    trial = entrant.runs / "trials" / "toy" / "blend"
    files = {"submission.csv": file_entry(entrant.csv)}
    sources = {"settings": {"trial": {"steps": 5, "limit_videos": 40}}}
    write_record(trial / "provenance" / "submission.csv.json", Record(sources, files, made=now()))
    code, out, err = command(entrant.words())
    assert (code, out) == (2, "")
    assert f"{entrant.csv} is the prediction of a trial (steps=5, limit_videos=40) in {trial};" in err
    assert not kaggle.steps()


def test_other_trials_and_damaged_records_are_no_reason(kaggle, entrant, command):
    provenance = entrant.runs / "trials" / "toy" / "blend" / "provenance"
    other = {"submission.csv": ("0" * 64, [1, 1])}
    write_record(provenance / "submission.csv.json", Record({"settings": {}}, other, made=now()))
    damaged = entrant.runs / "trials" / "toy" / "one" / "provenance" / "submission.csv.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text("{")
    code, _, err = command(entrant.words())
    assert (code, "no Kaggle credentials" in err) == (3, True)
