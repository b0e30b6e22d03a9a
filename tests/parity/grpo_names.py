"""What the packages with GRPO share."""

HORIZON = 16


OVERFLOW = "the gradient of a clipped ratio that overflows (in float from e^89 on) is 0 · ∞, nan; ours is 0"
TOO_HIGH = {"wrong": ["ratio e^800, A 1"], "reason": OVERFLOW}
BOTH = {"wrong": ["ratio e^800, A 1", "ratio e^800, A -1"], "reason": OVERFLOW}
