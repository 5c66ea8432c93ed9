"""What companies of the mock world did and what is held against them: dated activity and red flags.

Belongs here: activity with planted pairs, flags on planted wrongdoers and false alarms. Does not belong here:
procurement.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from hrtech.mock import places
from hrtech.mock.common import (
    FIRST_DAY,
    FIRST_MONTH,
    LAST_DAY,
    MONTHS,
    Streams,
    dates,
    ids,
    labels,
    text,
    zipf_weights,
)
from hrtech.mock.registers import Firms
from hrtech.mock.roles import Roles

ACTIVITIES = ("worksite", "job_advertisement", "supplier", "transport_route")
_FLAGS = (
    ("Price far from estimate", "procurement", 0.6), ("Single bid accepted", "procurement", 0.4),
    ("Late contract change", "procurement", 0.5), ("Wages withheld", "labour", 0.9),
    ("Passports held", "labour", 1.0), ("Unsafe housing", "labour", 0.7), ("Accounts overdue", "filing", 0.2),
    ("Tax arrears", "filing", 0.3),
)  # fmt: skip
_EVIDENCE = ("Court judgment", "Inspection report", "Press report", "Register entry", "Worker statement")
BACKGROUND_RATE = 0.03


def make_activity(
    streams: Streams, roles: Roles, companies: int, *, planted: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw dated activity.

    Planted pairs share many (activity, value) events: `synchronised` ones in the same months,
    `asynchronous` ones with the second company taking over, six months or more later, where the first was.

    Returns:
        The activity, and the truth: `company_a`, `company_b`, `kind`.
    """
    rng = streams("activity/background")
    counts = rng.poisson(5.0, companies)
    company = np.repeat(np.arange(companies), counts)
    n, values = len(company), max(120, companies // 2)
    blocks = [
        np.stack(
            [
                company,
                rng.integers(0, 4, n),
                rng.choice(values, n, p=zipf_weights(values, 0.5)),
                rng.integers(0, MONTHS, n),
            ],
            axis=1,
        )
    ]
    dice = streams("activity/pairs")
    pairs = roles.pairs if planted else roles.pairs[:0]
    for number, (first, second) in enumerate(pairs):
        size = int(dice.integers(8, 14))
        kind, value = dice.integers(0, 4, size), dice.integers(0, values, size)
        early = dice.integers(0, MONTHS if number % 2 == 0 else MONTHS // 2 - 3, size)
        late = early if number % 2 == 0 else dice.integers(MONTHS // 2 + 3, MONTHS, size)
        for firm, month in ((first, early), (second, late)):
            blocks.append(np.stack([np.full(size, firm), kind, value, month], axis=1))
    table = np.unique(np.concatenate(blocks), axis=0)
    names = ids("C", companies)
    width = len(str(values))
    value_names = np.array([f"V{i + 1:0{width}d}" for i in range(values)], dtype=object)
    months = np.array([str(FIRST_MONTH + i) for i in range(MONTHS)], dtype=object)
    frame = pd.DataFrame(
        {
            "company_id": text(names[table[:, 0]]),
            "activity": text(labels(table[:, 1], ACTIVITIES)),
            "value": text(value_names[table[:, 2]]),
            "period": text(months[table[:, 3]]),
        }
    )
    ordered = np.sort(pairs, axis=1) if len(pairs) else pairs
    truth = pd.DataFrame(
        {
            "company_a": text(names[ordered[:, 0]]),
            "company_b": text(names[ordered[:, 1]]),
            "kind": text(["synchronised" if i % 2 == 0 else "asynchronous" for i in range(len(pairs))]),
        }
    )
    return frame, truth


def make_red_flags(
    streams: Streams, firms: Firms, roles: Roles, *, planted: bool, rings: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw red flags.

    With planted flags, 35 % of ring members carry a procurement flag, and the companies that exploit workers
    (one in fifty, in no ring) carry one to three labour flags. Always there: false alarms on 3 % of companies, and
    on 12 % of the clients of formation agents in one trade, who did nothing.

    Returns:
        The flags, and the truth: `flag_id`, `company_id`, `reason` (`ring`, `labour exploitation`,
        `false alarm`).
    """
    rng = streams("red_flags/background")
    n = len(firms)
    trade = firms.sector == rng.choice(places.BUSINESS_SECTORS)
    rate = np.where(trade & (firms.agent >= 0), 0.12, BACKGROUND_RATE)
    alarmed = np.flatnonzero(rng.random(n) < rate)
    rows = [np.stack([alarmed, rng.integers(0, len(_FLAGS), len(alarmed)), np.full(len(alarmed), 2)], axis=1)]
    dice = streams("red_flags/planted")
    if planted:
        members = np.concatenate(roles.rings) if rings else np.zeros(0, dtype=np.int64)
        caught = members[dice.random(len(members)) < 0.35]
        rows.append(np.stack([caught, dice.integers(0, 3, len(caught)), np.zeros(len(caught), int)], axis=1))
        exploiting = np.repeat(roles.exploiters, dice.integers(1, 4, len(roles.exploiters)))
        rows.append(
            np.stack(
                [exploiting, dice.integers(3, 6, len(exploiting)), np.ones(len(exploiting), int)], axis=1
            )
        )
    table = np.unique(np.concatenate(rows), axis=0)
    # one flag of a kind per company; a true reason comes before a false alarm
    table = table[np.r_[True, (np.diff(table[:, :2], axis=0) != 0).any(axis=1)][: len(table)]]
    detail = streams("red_flags/detail")
    size = len(table)
    flag_id, company_id = ids("F", size), ids("C", n)[table[:, 0]]
    span = int((LAST_DAY - FIRST_DAY).astype(int))
    frame = pd.DataFrame(
        {
            "flag_id": text(flag_id),
            "company_id": text(company_id),
            "flag": text(labels(table[:, 1], [name for name, _, _ in _FLAGS])),
            "category": text(labels(table[:, 1], [category for _, category, _ in _FLAGS])),
            "weight": np.array([weight for _, _, weight in _FLAGS])[table[:, 1]],
            "evidence": text(labels(detail.integers(0, len(_EVIDENCE), size), _EVIDENCE)),
            "supporting": pd.array(detail.random(size) < 0.25, dtype="boolean"),
            "date": dates(FIRST_DAY + detail.integers(0, span, size)),
        }
    )
    reasons = labels(table[:, 2], ("ring", "labour exploitation", "false alarm"))
    return frame, pd.DataFrame(
        {"flag_id": text(flag_id), "company_id": text(company_id), "reason": text(reasons)}
    )
