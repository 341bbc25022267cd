//! What people do on the operators' port is brought to its end, also where they go away in the middle.

use serde_json::Value;

use crate::{
    driven::Driven,
    support::{PATIENCE, school::SOURCE_FILE},
};

const ACTS: usize = 20;

#[tokio::test]
async fn an_act_whose_client_goes_away_is_done_and_written_down() {
    let gateway = Driven::start(SOURCE_FILE).await;
    let written = async || {
        let audit = gateway.look("api/v1/audit?limit=500").await;
        let audit: Value = serde_json::from_str(&audit).unwrap();
        audit["audit"].as_array().unwrap().len()
    };
    for act in 0..ACTS {
        let path = ["/api/v1/pause", "/api/v1/resume"][act % 2];
        gateway
            .post_and_leave(path, r#"{"source": "school"}"#)
            .await;
        tokio::time::timeout(PATIENCE, async {
            while written().await <= act {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("the act is written down");
    }
    gateway.stop().await;
}
