"""Runs of regression suites: episodes in child processes, hashes of their states, gate values, causes.

provenance      engine, CPU and code that a result follows from
policies        the policy of a suite, and the digest of everything that it is made of
episode_runs    one episode at a time, so that no result depends on which others ran beside it
worker          the child process that simulates; `child_process` is its parent's side
suite_plans     a suite against a pack: which episodes of which tests
episode_series  the episodes of one test: goldens twice, what is not known, a tenth of what is reused
suite_runs      run all tests, and judge
gate_runs       gate values of the cousins
engine_versions, engine_probes, drift           the same suite in several engines and versions
acceptance      make a baseline
causes          which axis, object and amount broke it
films           episodes as short looping images
plugin_fixtures what the pytest plugin gives to tests
"""
