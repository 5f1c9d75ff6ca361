import pickle

import pytest

from cousins.errors import CaptureError, CousinsError, EngineError, SceneError, StageError


@pytest.mark.parametrize(
    "error",
    [
        CaptureError("no frames", expected="frames", hint="Record again."),
        SceneError("no scene", expected="a scene", hint="Scan first."),
        StageError("too few", stage="vary"),
        EngineError("it exploded", engine="mujoco"),
    ],
)
def test_an_error_is_the_same_in_another_process(error: CousinsError) -> None:
    arrived = pickle.loads(pickle.dumps(error))
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
    assert vars(arrived) == vars(error)
