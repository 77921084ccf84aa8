"""The best scores on 8,000 real clips: all techniques combined, on the clips of submissions/audioset.py.

With mixup, members train for 60 epochs without overfitting; checkpoints of the second half are averaged. The
mixture of three NeXtVLADs is the strongest family here. Distillation has three levels: `student` (another
mixture) and `student_netvlad` (gated NetVLAD) learn half from the ensemble `teacher`; `second_student`
(longer, with teacher weight 0.8) and `large_student` from `second_teacher`; `third_student` from
`third_teacher`.
`within_20_mb` is the best blend within 20 MB.

Command: make results RECIPE=reach DATA=FOLDER_OF_RECORDS
"""

from yt8m_kit.dataset import AUDIOSET
from yt8m_kit.recipe import Ensemble, Member, Range, Recipe

EPOCH = 63  # steps of 128 clips
VLAD = {"clusters": 32, "hidden": 512, "draws": 30}
MIXTURE = {"groups": 4, "clusters": 32, "hidden": 512, "reduction": 8, "branches": 3}
LARGE = {"groups": 8, "clusters": 64, "hidden": 1024, "reduction": 8, "branches": 3}
BAG = {"clusters": 1024, "hidden": 512, "draws": 30, "relu": True}


def member(family: str, hyperparameters: dict, learning_rate: float, epochs: int = 60, **settings) -> Member:
    """Return a member with a long training under mixup, averaged over the second half."""
    return Member(
        family,
        hyperparameters,
        epochs=epochs,
        learning_rate=learning_rate,
        mixup=1.0,
        checkpoint_steps=EPOCH,
        average=Range(epochs // 2 * EPOCH, epochs * EPOCH),
        **settings,
    )


TEACHERS = {
    "nextvlad_mix3": member("nextvlad", MIXTURE, 3e-4, loss_epsilon=1e-8),
    "netvlad": member("netvlad", VLAD, 2e-4),
    "netfv": member("netfv", VLAD, 2e-4),
    "soft_bof": member("soft_bof", BAG, 2e-4, epochs=40),
}
STUDENTS = {
    "student": member("nextvlad", MIXTURE, 3e-4, loss_epsilon=1e-8, teacher="teacher", seed=1),
    "student_netvlad": member("netvlad", VLAD, 2e-4, teacher="teacher", seed=1),
}
PATIENT = {"epochs": 120, "teacher_weight": 0.8, "loss_epsilon": 1e-8, "precision": "mixed_bfloat16"}
SECOND = {
    "second_student": member("nextvlad", MIXTURE, 3e-4, teacher="second_teacher", seed=2, **PATIENT),
    "large_student": member(
        "nextvlad",
        LARGE,
        3e-4,
        loss_epsilon=1e-8,
        precision="mixed_bfloat16",
        teacher="second_teacher",
        seed=3,
    ),
}
THIRD = {
    "third_student": member(
        "nextvlad", LARGE, 3e-4, teacher="third_teacher", seed=4, **PATIENT | {"epochs": 80}
    ),
}

RECIPE = Recipe(
    name="reach",
    description="AudioSet clips, all techniques together",
    dataset=AUDIOSET,
    members={**TEACHERS, **STUDENTS, **SECOND, **THIRD},
    ensembles={
        "teacher": Ensemble(tuple(TEACHERS)),
        "second_teacher": Ensemble(("nextvlad_mix3", "student", "netvlad"), weights=(1.0, 1.0, 1.0)),
        "third_teacher": Ensemble(
            ("second_student", "large_student", "student", "student_netvlad", "nextvlad_mix3"),
            weights=(1.0,) * 5,
        ),
        "within_20_mb": Ensemble((*TEACHERS, *STUDENTS, *SECOND, *THIRD), limit=20_000_000),
    },
)
