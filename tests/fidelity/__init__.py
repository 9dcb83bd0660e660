"""What becomes of every feature of a client's dialect at an upstream of every dialect: probed, judged, printed.

``cases/<client>.toml`` are small requests and what should stand upstream, ``answers/<upstream>.json`` small answers.
Each is sent through the translation twice, with the feature and without; what differs, what stands there and what is
named as lost decide. ``python -m tests.fidelity > docs/fidelity.md`` writes the page.
"""
