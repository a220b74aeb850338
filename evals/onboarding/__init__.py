"""development data, simulated worlds -> what each model does beside the plain baseline."""
