"""Methods by family: one folder a family, one file a method, one card a method. Cards are data; listing them
imports no torch.
"""
