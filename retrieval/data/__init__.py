"""From files of law and questions to a dataset that is clean, cut, segmented and split."""
