"""The door to LangChain: models, chains and the pieces they stream."""
