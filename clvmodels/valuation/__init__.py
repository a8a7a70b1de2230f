"""From predictions to money: assumptions, discounting, lines of benefit and cost, customer equity."""
