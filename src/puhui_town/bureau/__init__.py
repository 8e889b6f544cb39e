"""The credit bureau: queries under consent, batches of the second-generation text file with its own validator, disputes, accounts.

Beside it the local bureau, which takes the same facts as JSON lines.
"""
