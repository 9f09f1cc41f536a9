"""Types that every room uses: messages, seeds and candidates, generation requests, errors, environment."""
