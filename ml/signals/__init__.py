"""What a message says: language, budget, timeline, and classes (intent, objection, buying signal, risk, persuasion principle).

Rules for what is grammar (`amounts`, `timelines`, on the words of `lexicon`), trained models for what is language (`classifier`,
`training`), and `reader`, which puts both together. Here belongs what follows from the text, the moment and the tenant's settings
alone. Not here: where messages come from, decryption, storage (`assets.signals`, `orchestration.resources.signals`).
"""
