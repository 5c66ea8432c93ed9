"""Attacks on a release, simulated by the data's keeper on the records that it was drawn from.

A release is meant to tell truths about a population: who reads that most exploited minors are girls can guess a
minor's sex, whether or not she is in the records. That is no leak. A leak is what the release tells about people
*because they are in it*. So every attack is run a second time on what cannot know the person, and only the difference
is held against the release:

- `attribute_inference`, `closest_records`, `singling_out` need no holdout. The second attack uses the records of the
  *other* people in place of the synthetic ones, the person under attack left out. If the synthetic records were other
  people from the same population, both would succeed equally often, whatever there is to learn about the population.
- `membership_attack` wants people from the same population who are not in the release.

An attack that finds nothing proves nothing: a better one may come, and the comparison is blind where records of
groups (families, workers of one employer) resemble one another more than strangers do. The promise is the epsilon of
the release; this is its alarm bell. Everything here is computed from the records: restricted, for casework only.
"""

from hrtech.release.attacks.inference import attribute_inference
from hrtech.release.attacks.membership import membership_attack
from hrtech.release.attacks.neighbours import closest_records
from hrtech.release.attacks.outcome import Attack
from hrtech.release.attacks.predicates import singling_out

__all__ = ["Attack", "attribute_inference", "closest_records", "membership_attack", "singling_out"]
