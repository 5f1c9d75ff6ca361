"""Runs of regression suites: episodes in child processes, hashes of their states, gate values, causes.

provenance      engine, CPU and code that a result follows from
policies        the policy of a suite, and the digest of everything that it is made of
episode_runs    one episode at a time, so that no result depends on which others ran beside it
worker          the child process that simulates; `child_process` is its parent's side
test_plans      a suite against a pack: which episodes of which tests
suite_runs      run what is not known, and judge
acceptance      make a baseline
causes          which axis, object and amount broke it
"""
