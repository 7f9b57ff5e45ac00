"""The exported model over HTTP: answers, warnings at the point of prescribing, and figures about itself."""
