"""Check whether the claims of a machine-learning paper stand.

The flow has one direction; a stage reads the stage before it and nothing else::

    claims.yaml --load--> Claims --plan--> Plan --execute--> Runs --draw--> Evidence
        --judge--> Judgements --conclude--> Verdicts --report--> report.json --> report.html

=========  =============================================================
load       `repcheck.claims`: the file, with the place of every key
plan       `repcheck.plan`: one specification per arm, dataset and seed
execute    `repcheck.executor`, `repcheck.store`: real subprocesses
draw       `repcheck.fact`: typed facts, each drawn once when asked for
judge      `repcheck.judge`: every rule put to its subjects
conclude   `repcheck.verdict`: what is concluded of each claim
report     `repcheck.report`, `repcheck.reporters`: said to people and programs
=========  =============================================================
"""

__version__ = "0.1.0"
