"""Learn to push with PPO in one file, in the manner of CleanRL: nothing but torch, Gymnasium and a pack.

Give a pack folder with `--pack`, or a twin's scene folder with `--out`. The default is a short run; 200,000 steps push
the twin's object home. Steps in which a row is reset (NEXT_STEP) are left out.
"""

from __future__ import annotations

import argparse
import runpy
import tempfile
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
from torch.distributions import Normal

import sim  # noqa: F401  (registers the environments)

GAMMA, LAMBDA, CLIP, ROLLOUT, ROWS = 0.97, 0.95, 0.2, 128, 8


def network(size: int, out: int) -> torch.nn.Sequential:
    layers = [torch.nn.Linear(size, 64), torch.nn.Tanh(), torch.nn.Linear(64, 64), torch.nn.Tanh()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(64, out))


def learn(pack: Path, steps: int) -> None:
    envs = gym.make_vec("cousins/Push-v0", num_envs=ROWS, pack=pack, split="twin")
    envs = gym.wrappers.vector.NormalizeObservation(envs)
    torch.manual_seed(0)
    size, out = envs.single_observation_space.shape[0], envs.single_action_space.shape[0]
    actor, critic, log_std = network(size, out), network(size, 1), torch.nn.Parameter(torch.full((out,), -0.7))
    optimiser = torch.optim.Adam([*actor.parameters(), *critic.parameters(), log_std], lr=1e-3)
    seen, done, ends = torch.as_tensor(envs.reset(seed=0)[0], dtype=torch.float32), np.zeros(ROWS, bool), []
    for step in range(0, steps, ROLLOUT * ROWS):
        kept: list[tuple[torch.Tensor, ...]] = []
        for _ in range(ROLLOUT):
            with torch.no_grad():
                chance, value = Normal(actor(seen), log_std.exp()), critic(seen)[:, 0]
            action = chance.sample()
            after, reward, terminated, truncated, info = envs.step(action.numpy())
            told = (torch.as_tensor(one) for one in (reward.astype(np.float32), ~done, terminated, truncated))
            kept.append((seen, action, chance.log_prob(action).sum(1), value, *told))
            done, seen = terminated | truncated, torch.as_tensor(after, dtype=torch.float32)
            ends += info["metrics"]["success_once"][done].tolist() if "metrics" in info else []
        states, actions, before, values, rewards, live, lost, late = map(torch.stack, zip(*kept, strict=True))
        with torch.no_grad():
            following = torch.cat([values[1:], critic(seen).T])
        gains, gain = torch.zeros_like(rewards), torch.zeros(ROWS)
        for t in reversed(range(ROLLOUT)):
            error = rewards[t] + GAMMA * following[t] * ~lost[t] - values[t]
            gain = error + GAMMA * LAMBDA * gain * ~(lost[t] | late[t])
            gains[t] = gain
        keep = live.flatten()
        flat = [one.flatten(0, 1)[keep] for one in (states, actions, before, gains, values)]
        states, actions, before, gains, values = flat
        wanted, scaled = gains + values, (gains - gains.mean()) / (gains.std() + 1e-8)
        for batch in torch.cat([torch.randperm(len(states)) for _ in range(5)]).split(256):
            ratio = (Normal(actor(states[batch]), log_std.exp()).log_prob(actions[batch]).sum(1) - before[batch]).exp()
            surest = torch.min(ratio * scaled[batch], ratio.clamp(1 - CLIP, 1 + CLIP) * scaled[batch])
            loss = 0.5 * (critic(states[batch])[:, 0] - wanted[batch]).square().mean() - surest.mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([*actor.parameters(), *critic.parameters(), log_std], 0.5)
            optimiser.step()
        share = np.mean(ends[-50:]) if ends else 0.0
        print(f"{step + ROLLOUT * ROWS} steps: success {share:.0%} of {len(ends)} episodes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, help="pack folder")
    parser.add_argument("--out", type=Path, default=Path("out/twin"), help="scene folder of the twin")
    parser.add_argument("--steps", type=int, default=4096, help="steps of all rows together (4096)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        small_pack = runpy.run_path(str(Path(__file__).with_name("07_environments.py")))["small_pack"]
        learn(arguments.pack or small_pack(arguments.out, Path(scratch)), arguments.steps)
