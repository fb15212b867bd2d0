"""From the words of a finding to what the network hears, and which part of a mask they mean."""
