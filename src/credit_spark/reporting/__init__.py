"""What people look at: charts as data, a sentence each, and one file of HTML a batch."""
