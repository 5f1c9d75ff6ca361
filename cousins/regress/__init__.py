"""Regression suites: what a CI job runs against a pack, and the verdicts that follow from the results.

    suites        a suite file: pack, cousins, tasks, engines, policy, budget, false-alarm rate
    plans         which episodes are compared, in which order, and which of the reused ones are run again
    result_keys   the content that a result follows from; equal keys mean equal results
    result_store  results in a folder or a bucket (`entry_stores`), safe under many writers
    baselines     the accepted results that a run is compared with
    changes       what differs from the baseline: policy, task, engine, code, CPU, cousins
    sequential, exact_tests, bands, verdicts     three levels of comparison, and the states and exit codes
    hybrids, minimising, minimal_cases           which axis, object and amount broke it

Nothing here simulates: `sim.regress` runs the episodes, `flows` prints the reports.
"""
