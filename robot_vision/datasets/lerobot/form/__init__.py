"""What a data set declares: info, features, tasks, layout."""
