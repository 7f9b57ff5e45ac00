"""FHIR R4 resources to contract tables and back."""
