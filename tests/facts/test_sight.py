"""How far a pixel's score sees, and how many of a crop's scores see padding."""

from segcompile.compiler import compile_spec
from segcompile.facts.placement import place_outputs
from segcompile.facts.sight import Sight, sight_of
from segcompile.library import bundled
from segcompile.text.errors import Findings


def sight(name: str) -> Sight | None:
    compiled = compile_spec(bundled()[name], Findings())
    return sight_of(compiled.graph, compiled.facts, place_outputs(compiled.graph))


def test_unet_sees_no_padding_and_at_most_107_pixels_to_either_side() -> None:
    """Of its field of 204 pixels a score lies at the middle, or as far off it as four poolings round."""
    assert sight("unet") == Sight((204, 204), ((107, 107),) * 2, ((0, 0),) * 2, 16)


def test_a_causal_network_sees_nothing_ahead() -> None:
    assert sight("tcn") == Sight((3061,), ((3060, 0),), ((3060, 0),), 1)


def test_scores_between_outputs_see_what_both_outputs_see() -> None:
    """The front end's field is 380 = 372 + 8 and its stride 8: from pixel 190 ± 186, and as far as the next output."""
    found = sight("dilated_frontend")
    assert found == Sight((380, 380), ((197, 197),) * 2, ((0, 0),) * 2, 8)


def test_fcn8s_padding_of_100_keeps_217_and_243_pixels_of_500_from_being_clean() -> None:
    assert sight("fcn8s") == Sight((468, 468), ((245, 245),) * 2, ((217, 243),) * 2, 32)


def test_no_score_is_clean_behind_a_pool_of_the_whole_image() -> None:
    assert sight("aspp") is None
