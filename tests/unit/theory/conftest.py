from __future__ import annotations

import pytest

from trustsem.theory import Theory, load_theory, parse_theory

OWN = """\
id = "garden"
title = "A theory of gardens"
may_claim = ["That it is ours."]

[[source]]
id = "book"
title = "A book about gardens"

[[construct]]
name = "Water"
definition = "How much it rains."
tier = 1
indicators = ["w1", "w2", "w3"]
mark = "S"
source = "book"

[[construct]]
name = "Growth"
definition = "How fast plants grow."
tier = 2
indicators = ["g1", "g2"]
loading = { value = 0.6, mark = "I" }
mark = "I"

[[construct]]
name = "Harvest"
definition = "What is reaped."
tier = 3
mark = "K"

[[strategy]]
id = "hose"
title = "Watering with a hose"
construct = "Water"
indicator = "w1"
activity = "Water in the evening."
mark = "I"

[[proposition]]
id = "A"
cause = "Water"
effect = "Growth"
sign = "+"
statement = "Water raises growth."
mark = "S"
source = "book"

[[proposition]]
id = "B"
cause = "Growth"
effect = "Harvest"
sign = "-"
statement = "Growth lowers the harvest."
sesoi = 0.2
provenance = [
  { mark = "S", what = "that there is an effect", source = "book" },
  { mark = "K", what = "its sign" },
]

[[covariance]]
left = "Water"
right = "Harvest"
mark = "I"

[[measure]]
id = "gauge"
construct = "Water"
name = "Rain gauge"
items = { value = "3", mark = "S", source = "book" }
doi = { value = "10.1/unseen", mark = "K" }
mark = "I"

[[preset]]
name = "plain"
title = "Plain values"
mark = "I"
[preset.paths]
"Water -> Growth" = 0.5
"Growth -> Harvest" = -0.4
[preset.residuals]
"Water ~~ Harvest" = 0.1

[[rival]]
id = "R1"
title = "Water works directly"
says = "Rain spoils the harvest."
add = [{ cause = "Water", effect = "Harvest", sign = "-", statement = "Water lowers the harvest." }]
uncorrelate = ["Water ~~ Harvest"]
needs = "One wave."
difference = "A direct path."
mark = "I"

[[statement]]
about = "soil"
text = "Soil does not matter."
mark = "I"
"""


@pytest.fixture(scope="session")
def metz() -> Theory:
    return load_theory("metz2022")


@pytest.fixture
def own_text() -> str:
    return OWN


@pytest.fixture
def own(own_text: str) -> Theory:
    return parse_theory(own_text, "garden.toml")
