"""Learn to push with PPO in one file, in the manner of CleanRL: nothing but torch, Gymnasium and a pack.

Give a pack folder with `--pack`, or a twin's scene folder with `--out`. The default is a short run; 200,000 steps push
the twin's object to its goal. Steps in which a row is reset (NEXT_STEP) are left out.
"""

import argparse
import tempfile
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
from torch.distributions import Normal

import cousins

GAMMA, LAMBDA, CLIP, ROLLOUT, ROWS = 0.97, 0.95, 0.2, 128, 8


def network(inputs: int, outputs: int) -> torch.nn.Sequential:
    layers = [torch.nn.Linear(inputs, 64), torch.nn.Tanh(), torch.nn.Linear(64, 64), torch.nn.Tanh()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(64, outputs))


def learn(pack: Path, steps: int) -> None:
    env = gym.wrappers.vector.NormalizeObservation(cousins.make_env(pack=pack, split="twin", num_envs=ROWS))
    torch.manual_seed(0)
    inputs, outputs = env.single_observation_space.shape[0], env.single_action_space.shape[0]
    actor, critic = network(inputs, outputs), network(inputs, 1)
    log_std = torch.nn.Parameter(torch.full((outputs,), -0.7))
    weights = [*actor.parameters(), *critic.parameters(), log_std]
    optimiser = torch.optim.Adam(weights, lr=1e-3)
    state, reset, successes = torch.as_tensor(env.reset(seed=0)[0], dtype=torch.float32), np.zeros(ROWS, bool), []
    for step in range(0, steps, ROLLOUT * ROWS):
        rollout: list[tuple[torch.Tensor, ...]] = []
        for _ in range(ROLLOUT):
            with torch.no_grad():
                policy, value = Normal(actor(state), log_std.exp()), critic(state)[:, 0]
            action = policy.sample()
            next_state, reward, terminated, truncated, info = env.step(action.numpy())
            outcome = map(torch.as_tensor, (reward.astype(np.float32), ~reset, terminated, truncated))
            rollout.append((state, action, policy.log_prob(action).sum(1), value, *outcome))
            reset, state = terminated | truncated, torch.as_tensor(next_state, dtype=torch.float32)
            successes += info["metrics"]["success_once"][reset].tolist() if "metrics" in info else []
        states, actions, log_probs, values, rewards, valid, ended, cut = map(torch.stack, zip(*rollout, strict=True))
        with torch.no_grad():
            next_values = torch.cat([values[1:], critic(state).T])
        advantages, advantage = torch.zeros_like(rewards), torch.zeros(ROWS)
        for t in reversed(range(ROLLOUT)):
            error = rewards[t] + GAMMA * next_values[t] * ~ended[t] - values[t]
            advantage = error + GAMMA * LAMBDA * advantage * ~(ended[t] | cut[t])
            advantages[t] = advantage
        columns = (states, actions, log_probs, advantages, values)
        states, actions, log_probs, advantages, values = (column.flatten(0, 1)[valid.flatten()] for column in columns)
        returns, scaled = advantages + values, (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        for batch in torch.cat([torch.randperm(len(states)) for _ in range(5)]).split(256):
            policy = Normal(actor(states[batch]), log_std.exp())
            ratio = (policy.log_prob(actions[batch]).sum(1) - log_probs[batch]).exp()
            clipped = torch.min(ratio * scaled[batch], ratio.clamp(1 - CLIP, 1 + CLIP) * scaled[batch])
            loss = 0.5 * (critic(states[batch])[:, 0] - returns[batch]).square().mean() - clipped.mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 0.5)
            optimiser.step()
        share = np.mean(successes[-50:]) if successes else 0.0
        print(f"{step + ROLLOUT * ROWS} steps: success {share:.0%} of {len(successes)} episodes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, help="pack folder")
    parser.add_argument("--out", type=Path, default=Path("out/twin"), help="scene folder of the twin")
    parser.add_argument("--steps", type=int, default=4096, help="steps of all rows together (4096)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        pack = arguments.pack or Path(scratch) / "pack"
        if arguments.pack is None:
            cousins.make_pack(arguments.out, pack, count=8, seed=7)
        learn(pack, arguments.steps)
