"""Policies as files that other people's programs run: ONNX, StableHLO, NumPy's archive, and bots for RLGym."""
