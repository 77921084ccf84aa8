"""Mistakes in exports for other programs, in serving, and in trainings from one read."""

from tools.first_hour.case import Case

TITLE = "Formats, serving, several members at once"

CASES = (
    Case("an unknown format", "yt8m export tiny blend --format=onxx", 2, "Did you mean 'onnx'?"),
    Case("serving what is not exported", "yt8m serve tiny blend", 2, "missing; run: yt8m export tiny blend"),
    Case("a port that does not exist", "yt8m serve tiny blend --port=99999", 2, "(from 0 to 65,535)"),
    Case(
        "a member named twice", "yt8m train tiny logistic logistic", 2, "logistic is named twice; name each"
    ),
    Case(
        "an ensemble among members", "yt8m train tiny logistic blend", 2, "no member 'blend' in recipe tiny"
    ),
    Case(
        "a student before its teacher",
        "yt8m train tiny netvlad student",
        2,
        "manifest.json is missing; run: yt8m distill tiny logistic",
    ),
    Case(
        "several members on shared devices",
        "yt8m train tiny logistic ema --devices=2",
        2,
        "--devices=2 divides one member over devices; got 2 members",
    ),
    Case(
        "no server for weights",
        "yt8m download inception2015 --urls=http://127.0.0.1:9",
        1,
        "http://127.0.0.1:9: no connection",
    ),
)
