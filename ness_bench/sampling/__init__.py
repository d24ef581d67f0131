"""NESS's core: infer a posterior over architectures, then draw ensembles from it.

NESS (Shu, Chen, Dai & Low, arXiv 2109.02533; UAI 2022 as NESBS) trains a supernet, infers α of the
`posterior` q_α(A) from the validation likelihood of the weights that A inherits (`inference`), and draws
ensembles from q_α: members independently (`monte_carlo`), or as particles that hold each other apart (`svgd_rd`).
Two samplers of ours hold members apart that predict alike, on a pool whose predictions are known: `svgd_predictions`,
and `k_dpp`, which draws exactly.
Where all architectures can be enumerated, `exact_posterior` and `diagnostics` tell how far these are from the mark.
"""
