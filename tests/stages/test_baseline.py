from nasmake.data.prepared import Prepared
from nasmake.stages.baseline import logistic_regression


def test_baseline_does_not_depend_on_threads(digits):
    from threadpoolctl import threadpool_limits

    prepared = Prepared.open(digits)
    parts = [(images[:300], labels[:300]) for images, labels in (prepared.split(name) for name in ("train", "test"))]
    accuracies = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            accuracies.append(logistic_regression(*parts))
    assert accuracies[0] == accuracies[1]
