"""Join pieces of a view to objects: the pair with the highest log-odds first, compared again after each join.

Comparing again is what makes a bowl of its pieces: the inside wall alone looks like another thing, the whole inside
beside the whole outside does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cousins.geometry import Array
from cousins.segment.affinity.network import MAX_LOG_ODDS
from cousins.segment.affinity.pair_features import PieceSummary, are_stacked, candidate_pairs, pair_features, summarise
from cousins.segment.affinity.view_pieces import ViewPieces
from cousins.segment.parts.contacts import members_by_label

LOWER_END_SHARE = 0.35
"""Share of its height that is the lower end of an object; what it touches there holds it."""
MIN_FOOT_M = 0.008
"""Least length of border at the lower end that rests on something or is hidden [m]: three pixels at 1.5 m."""
MAX_FOOT_GAP_M = 0.04
"""Height of the lower outline of an object over what is visible behind it, up to which it stands there [m].

The side of a bowl hides its foot.
"""
LogOdds = Callable[[Array], Array]
"""Log-odds [m] that pairs are one object, from their features [m, f]."""


@dataclass(frozen=True, kw_only=True)
class JoiningConfig:
    """Which pieces are compared, and what becomes of those that hang."""

    min_area_m2: float = 0.00015
    """Least visible area of a piece whose shape says something [m²]: the size of a patch."""
    min_pixels: int = 40
    """Least number of pixels of such a piece: a plane through fewer tilts with the noise."""
    min_hanging_log_odds: float = -4.0
    """Log-odds from which a piece that would hang joins the object it touches: nothing hangs by itself."""


def absorb_fragments(pieces: ViewPieces, config: JoiningConfig) -> Array:
    """Return the piece of each piece, int64 [k], with fragments joined to the piece that they touch most.

    Fragments have less than the configured area or pixels. The smallest is joined first; those that touch nothing stay.
    """
    count = int(pieces.labels.max(initial=-1)) + 1
    areas = np.bincount(pieces.labels, weights=pieces.pixel_areas_m2, minlength=count)
    sizes = np.bincount(pieces.labels, minlength=count)
    touching = np.zeros((count, count))
    border = pieces.border
    contact = border.touching & (border.second >= 0)
    np.add.at(touching, (border.first[contact], border.second[contact]), border.length_m[contact])
    target = np.arange(count)
    for k in np.argsort(areas, kind="stable"):
        if areas[k] >= config.min_area_m2 and sizes[k] >= config.min_pixels:
            continue
        best = int(np.argmax(touching[k]))
        if touching[k, best] <= 0.0:
            continue
        target[target == k] = best
        areas[best] += areas[k]
        sizes[best] += sizes[k]
        touching[best] += touching[k]
        touching[:, best] += touching[:, k]
        touching[k], touching[:, k], touching[best, best] = 0.0, 0.0, 0.0
    return np.asarray(np.unique(target, return_inverse=True)[1].ravel())


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class JoinedPieces:
    """Objects made of pieces, and how sure the joins are."""

    object_of_piece: Array
    """Object of each piece, int64 [k], from 0."""
    is_standing: Array
    """The object rests on its support or on another object, or its lower end is hidden; bool [objects]."""
    doubt: Array
    """Chance that the object is a part of another one or holds two, from 0 to 1; float64 [objects]."""


def join_pieces(pieces: ViewPieces, log_odds: LogOdds, *, config: JoiningConfig | None = None) -> JoinedPieces:
    """Return the objects that joining pairs of positive log-odds gives.

    What would hang in the air then joins the object of the highest log-odds among those that it touches.
    """
    config = JoiningConfig() if config is None else config
    state = PieceJoining(pieces, log_odds, config)
    while state.scores:
        score, keep, gone = max((score, -a, -b) for (a, b), score in state.scores.items())
        if score <= 0.0:
            break
        state.join(-keep, -gone)
    _join_hanging(state, config)
    roots, object_of_piece = np.unique(state.target, return_inverse=True)
    return JoinedPieces(
        object_of_piece=object_of_piece.ravel(),
        is_standing=np.array(
            [root in state.summaries and state.is_standing(root) for root in roots.tolist()], dtype=bool
        ),
        doubt=np.array([state.doubt(root) for root in roots.tolist()]),
    )


def _join_hanging(state: PieceJoining, config: JoiningConfig) -> None:
    """Join what hangs to the neighbour it most likely belongs to, the smallest first."""
    hopeless: set[int] = set()
    while True:
        hanging = [k for k in state.summaries if k not in hopeless and not state.is_standing(k)]
        if not hanging:
            return
        k = min(hanging, key=lambda number: (state.summaries[number].area_m2, number))
        near = [
            (score, pair) for pair, score in state.scores.items() if k in pair and set(pair) - {k} <= state.touched(k)
        ]
        score, pair = max(near, key=lambda item: (item[0], -item[1][0], -item[1][1]), default=(-np.inf, (k, k)))
        if score < config.min_hanging_log_odds:
            hopeless.add(k)
        else:
            state.join(*pair)


class PieceJoining:
    """Mutable state of joining: members and borders by object, and the log-odds of each candidate pair."""

    def __init__(self, pieces: ViewPieces, log_odds: LogOdds, config: JoiningConfig) -> None:
        """Compare all candidate pairs of large enough pieces."""
        self.pieces, self.log_odds = pieces, log_odds
        self.summaries: dict[int, PieceSummary] = {}
        for number, members in enumerate(members_by_label(pieces.labels)):
            large = float(pieces.pixel_areas_m2[members].sum()) >= config.min_area_m2
            if large and len(members) >= config.min_pixels:
                self.summaries[number] = summarise(pieces, number, members)
        self.target = np.arange(int(pieces.labels.max(initial=-1)) + 1)
        self.weakest: dict[int, float] = {}
        self.scores: dict[tuple[int, int], float] = {}
        pairs = [(int(a), int(b)) for a, b in candidate_pairs(pieces)]
        self.compare([(a, b) for a, b in pairs if a in self.summaries and b in self.summaries])

    def join(self, keep: int, gone: int) -> None:
        """Join one object to another and compare it with the neighbours of both."""
        self.weakest[keep] = min(
            self.scores[(keep, gone)], self.weakest.get(keep, np.inf), self.weakest.pop(gone, np.inf)
        )
        self.target[self.target == gone] = keep
        numbers = np.arange(len(self.target))
        numbers[gone] = keep
        self.pieces = self.pieces.relabelled(numbers)
        members = np.concatenate([self.summaries[keep].members, self.summaries.pop(gone).members])
        self.summaries[keep] = summarise(self.pieces, keep, np.sort(members))
        changed = [pair for pair in self.scores if keep in pair or gone in pair]
        for pair in changed:
            del self.scores[pair]
        neighbours = sorted({k for pair in changed for k in pair} - {keep, gone})
        self.compare([(min(keep, k), max(keep, k)) for k in neighbours])

    def is_standing(self, number: int) -> bool:
        """Return whether an object rests on something, its lower end is hidden, or it is a part of a plane."""
        border, piece = self.pieces.border, self.summaries[number]
        if 2 * np.count_nonzero(self.pieces.on_plane[piece.members]) > len(piece.members):
            return True
        rows = np.flatnonzero(border.first == number)
        length = border.length_m[rows]
        is_low = border.height_m[rows] < piece.low_m + LOWER_END_SHARE * (piece.high_m - piece.low_m)
        overhangs = border.in_front[rows] & (border.drop_m[rows] < MAX_FOOT_GAP_M)
        supported = is_low & (border.touching[rows] | border.behind[rows] | overhangs)
        return float((length * supported).sum()) >= MIN_FOOT_M

    def touched(self, number: int) -> set[int]:
        """Return the objects that an object touches."""
        border = self.pieces.border
        return set(np.unique(border.second[(border.first == number) & border.touching & (border.second >= 0)]).tolist())

    def doubt(self, number: int) -> float:
        """Return the larger of the chances that the weakest join was wrong and that the best refused one was right."""
        refused = max((score for pair, score in self.scores.items() if number in pair), default=-np.inf)
        return float(1.0 / (1.0 + np.exp(-max(refused, -self.weakest.get(number, np.inf)))))

    def compare(self, pairs: list[tuple[int, int]]) -> None:
        """Estimate the log-odds of pairs."""
        if not pairs:
            return
        features = self.features_of(pairs)
        scores = np.where(are_stacked(features), -MAX_LOG_ODDS, self.log_odds(features))
        self.scores.update(zip(pairs, scores.tolist(), strict=True))

    def features_of(self, pairs: list[tuple[int, int]]) -> Array:
        """Return the features of pairs, float64 [m, f]."""
        return np.array([pair_features(self.pieces, self.summaries[a], self.summaries[b]) for a, b in pairs])
