"""Tests of the executor: a package, so that its conftest does not hide that of other tests of one pytest run."""
