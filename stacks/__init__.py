"""Where pipelines run: the stacks of this project and the choice among the user's."""
