"""Run the practice org by its earlier name."""

import runpy
import warnings

if __name__ == "__main__":
    # Shown by default, since it is raised in what the user started.
    warnings.warn("run `python -m circulate_practice`; circulate_core.practice goes with 0.3", DeprecationWarning, 1)
    runpy.run_module("circulate_practice", run_name="__main__", alter_sys=True)
