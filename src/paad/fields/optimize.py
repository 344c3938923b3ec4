"""Adam over a changing set of Gaussians: moments follow their Gaussians through splits and prunes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from paad.render import Gaussians


class GaussianAdam:
    """Adam (Kingma and Ba, 2015) with a learning rate for each kind of parameter.

    The base colour ``sh[:, :1]`` and the view-dependent rest are separate parameters, since their rates differ.
    """

    def __init__(self, gaussians: Gaussians, rates: Mapping[str, float]) -> None:
        self.rates = dict(rates)
        self._set(gaussians)

    def _set(self, gaussians: Gaussians) -> None:
        g = gaussians
        values = {
            "means": g.means,
            "quats": g.quats,
            "log_scales": g.log_scales,
            "logit_opacities": g.logit_opacities,
            "base": g.sh[:, :1],
            "rest": g.sh[:, 1:],
        }
        self.values = {k: v.detach().clone().contiguous().requires_grad_(True) for k, v in values.items() if v.numel()}
        groups = [{"params": [v], "lr": self.rates[k]} for k, v in self.values.items()]
        on_cpu_or_cuda = g.means.device.type in ("cpu", "cuda")
        self._adam = torch.optim.Adam(groups, eps=1e-15, betas=(0.9, 0.99), fused=on_cpu_or_cuda)

    @property
    def gaussians(self) -> Gaussians:
        """The current Gaussians, differentiable."""
        v = self.values
        sh = torch.cat([v["base"], v["rest"]], dim=1) if "rest" in v else v["base"]
        return Gaussians(v["means"], v["quats"], v["log_scales"], v["logit_opacities"], sh)

    def step(self, factors: Mapping[str, float], decay: Mapping[str, float] | None = None) -> None:
        """One step; ``factors`` scale the rates of the named parameters, and half of ``decay`` times the square of
        those that it names counts as part of the loss.
        """
        for group, name in zip(self._adam.param_groups, self.values, strict=True):
            group["lr"] = self.rates[name] * factors.get(name, 1.0)
            group["weight_decay"] = 0.0 if decay is None else decay.get(name, 0.0)
        self._adam.step()
        self._adam.zero_grad(set_to_none=True)

    def gradient(self, name: str) -> Tensor:
        """The last backward pass's gradient of a parameter."""
        gradient = self.values[name].grad
        assert gradient is not None
        return gradient

    def restructure(self, keep: Tensor, added: Gaussians | None) -> None:
        """Keep the Gaussians ``keep`` (indices) with their moments and append ``added`` with none."""
        old_state = [self._adam.state[v] for v in self.values.values()]
        kept = self.gaussians.detached()[keep]
        count = 0 if added is None else len(added)
        merged = (
            kept
            if added is None
            else Gaussians(**{name: torch.cat([t, added.named()[name].to(t)]) for name, t in kept.named().items()})
        )
        self._set(merged)
        for state, value in zip(old_state, self.values.values(), strict=True):
            if not state:
                continue
            fresh = {"step": state["step"]}
            for moment in ("exp_avg", "exp_avg_sq"):
                rows = state[moment][keep]
                fresh[moment] = torch.cat([rows, rows.new_zeros(count, *rows.shape[1:])])
            self._adam.state[value] = fresh
