"""From a prepared data set to batches on the training device."""
