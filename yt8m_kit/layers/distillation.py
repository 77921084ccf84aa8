"""On-the-fly distillation: branches of a mixture learn from the mixture while it is trained.

Shapes: B batch, N branches, C classes.
Source: Lin, Xiao, Fan, "NeXtVLAD" (2018), section 3.3, after Lan et al., "Knowledge distillation by
on-the-fly native ensemble" (2018).
"""
